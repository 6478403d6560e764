# Tests replace the content of this file for each run.
