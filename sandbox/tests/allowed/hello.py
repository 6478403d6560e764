import os
os.system("/usr/bin/id; ls -la / /dev /proc /etc /out /src /src/package; cat /proc/self/mountinfo /etc/passwd /proc/cpuinfo; date; cat /proc/uptime; ps aux; uname -a; cat /proc/self/status; cat /proc/self/cgroup")
