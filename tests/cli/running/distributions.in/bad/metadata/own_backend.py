import os
import zipfile


def build_wheel(directory, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(os.path.join(directory, "a-1-py3-none-any.whl"), "w") as archive:
        archive.writestr("a-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: other\nVersion: 1\n")
        archive.writestr("a-1.dist-info/RECORD", "")
    return "a-1-py3-none-any.whl"
