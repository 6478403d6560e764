//! Which Debian package contains a program or a shared library. The archive's `Contents` index has the whole answer, but it
//! is 12 MB of compressed text: too much to download for a hint. Programs that tests use often are listed here; the packages
//! of libraries follow from Debian's naming rules.

/// The package that contains a program; `None` if the program is not listed.
pub fn package_of_program(program: &str) -> Option<&'static str> {
    PROGRAMS.iter().find(|(_, programs)| programs.contains(&program)).map(|(package, _)| *package)
}

/// The package that probably contains a shared library, such as `libgl1` for `libGL.so.1`: its name follows from the SONAME
/// (Debian Policy, section 8.1). `None` if the name is not that of a library.
pub fn package_of_library(library: &str) -> Option<String> {
    let (stem, version) = library.split_once(".so")?;
    if let Some((package, _)) = LIBRARIES.iter().find(|(_, stems)| stems.contains(&stem)) {
        return Some((*package).to_owned());
    }
    let version = version.trim_start_matches('.');
    let stem = stem.to_lowercase().replace('_', "-");
    let separator = if stem.ends_with(|c: char| c.is_ascii_digit()) && !version.is_empty() { "-" } else { "" };
    stem.starts_with("lib").then(|| format!("{stem}{separator}{version}"))
}

/// The file name of a program in Debian, where another program had its usual name first.
pub fn name_of_program(program: &str) -> &str {
    RENAMED.iter().find(|(usual, _)| *usual == program).map_or(program, |(_, renamed)| renamed)
}

/// Usual names of programs, and those that their packages give them.
const RENAMED: &[(&str, &str)] = &[("bat", "batcat"), ("fd", "fdfind"), ("yarn", "yarnpkg")];

/// Packages and their programs.
const PROGRAMS: &[(&str, &[&str])] = &[
    ("bat", &["bat", "batcat"]),
    ("binutils", &["ar", "as", "ld", "nm", "objcopy", "objdump", "ranlib", "readelf", "strings", "strip"]),
    ("bzip2", &["bunzip2", "bzip2"]),
    ("chromium", &["chromium"]),
    ("chromium-driver", &["chromedriver"]),
    ("clang", &["clang", "clang++"]),
    ("cmake", &["cmake", "ctest"]),
    ("curl", &["curl"]),
    ("default-jdk-headless", &["jar", "javac"]),
    ("default-jre-headless", &["java"]),
    ("diffutils", &["cmp", "diff"]),
    ("docker.io", &["docker"]),
    ("fd-find", &["fd", "fdfind"]),
    ("ffmpeg", &["ffmpeg", "ffprobe"]),
    ("file", &["file"]),
    ("firefox-esr", &["firefox"]),
    ("g++", &["g++", "c++"]),
    ("gcc", &["gcc", "cc"]),
    ("ghostscript", &["gs"]),
    ("git", &["git"]),
    ("gnupg", &["gpg"]),
    ("golang-go", &["go"]),
    ("graphviz", &["dot", "neato"]),
    ("gzip", &["gunzip", "gzip", "zcat"]),
    ("hostname", &["hostname"]),
    ("imagemagick", &["convert", "identify", "mogrify"]),
    ("iproute2", &["ip", "ss"]),
    ("iputils-ping", &["ping"]),
    ("jq", &["jq"]),
    ("less", &["less"]),
    ("libimage-exiftool-perl", &["exiftool"]),
    ("libreoffice", &["libreoffice", "soffice"]),
    ("lsof", &["lsof"]),
    ("make", &["make"]),
    ("mariadb-client", &["mysql", "mysqladmin", "mysqldump"]),
    ("mariadb-server", &["mysqld"]),
    ("memcached", &["memcached"]),
    ("mercurial", &["hg"]),
    ("ncurses-bin", &["clear", "tput"]),
    ("net-tools", &["ifconfig", "netstat"]),
    ("netcat-openbsd", &["nc"]),
    ("nginx", &["nginx"]),
    ("nodejs", &["node"]),
    ("npm", &["npm", "npx"]),
    ("openssh-client", &["scp", "sftp", "ssh", "ssh-add", "ssh-agent", "ssh-keygen"]),
    ("openssl", &["openssl"]),
    ("pandoc", &["pandoc"]),
    ("patch", &["patch"]),
    ("perl", &["perl"]),
    ("pkgconf", &["pkg-config"]),
    ("poppler-utils", &["pdfinfo", "pdftoppm", "pdftotext"]),
    ("postgresql", &["initdb", "pg_ctl", "postgres"]),
    ("postgresql-client", &["pg_dump", "pg_restore", "psql"]),
    ("procps", &["free", "pgrep", "pkill", "ps", "top", "uptime"]),
    ("protobuf-compiler", &["protoc"]),
    ("psmisc", &["fuser", "killall", "pstree"]),
    ("redis-server", &["redis-server"]),
    ("redis-tools", &["redis-cli"]),
    ("rsync", &["rsync"]),
    ("ruby", &["ruby"]),
    ("rustc", &["rustc"]),
    ("shellcheck", &["shellcheck"]),
    ("sqlite3", &["sqlite3"]),
    ("strace", &["strace"]),
    ("subversion", &["svn"]),
    ("tar", &["tar"]),
    ("tesseract-ocr", &["tesseract"]),
    ("texlive-latex-base", &["latex", "pdflatex"]),
    ("tree", &["tree"]),
    ("unzip", &["unzip"]),
    ("util-linux", &["flock", "getopt", "setsid", "uuidgen"]),
    ("wget", &["wget"]),
    ("wkhtmltopdf", &["wkhtmltopdf"]),
    ("xvfb", &["Xvfb", "xvfb-run"]),
    ("xz-utils", &["unxz", "xz"]),
    ("yarnpkg", &["yarn", "yarnpkg"]),
    ("zip", &["zip"]),
    ("zstd", &["unzstd", "zstd"]),
];

/// Packages whose names do not follow the rule, and their libraries without version.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("libgeos-c1v5", &["libgeos_c"]),
    ("libglib2.0-0", &["libgio-2.0", "libglib-2.0", "libgmodule-2.0", "libgobject-2.0", "libgthread-2.0"]),
    ("libglu1-mesa", &["libGLU"]),
    ("libnss3", &["libnss3", "libnssutil3", "libsmime3", "libssl3"]),
    ("libpython3-dev", &["libpython3"]),
    ("libstdc++6", &["libstdc++"]),
    ("libxml2", &["libxml2"]),
    ("libxslt1.1", &["libexslt", "libxslt"]),
    ("perl", &["libperl"]),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn packages_of_libraries_have_the_names_that_debian_gives_them() {
        for (library, package) in [
            ("libGL.so.1", "libgl1"),
            ("libX11.so.6", "libx11-6"),
            ("libXext.so.6", "libxext6"),
            ("libgomp.so.1", "libgomp1"),
            ("libpq.so.5", "libpq5"),
            ("libsqlite3.so.0", "libsqlite3-0"),
            ("libgdk_pixbuf-2.0.so.0", "libgdk-pixbuf-2.0-0"),
            ("libpango-1.0.so.0", "libpango-1.0-0"),
            ("libgobject-2.0.so.0", "libglib2.0-0"),
            ("libxml2.so.2", "libxml2"),
            ("libtk8.6.so", "libtk8.6"),
        ] {
            assert_eq!(package_of_library(library).as_deref(), Some(package), "{library}");
        }
        for other in ["_speedups.cpython-311-x86_64-linux-gnu.so", "plain"] {
            assert_eq!(package_of_library(other), None, "{other}");
        }
    }

    #[test]
    fn each_program_is_listed_once_and_packages_are_sorted() {
        let programs: Vec<&str> = PROGRAMS.iter().flat_map(|(_, programs)| programs.iter().copied()).collect();
        assert_eq!(programs.iter().collect::<BTreeSet<_>>().len(), programs.len());
        assert!(PROGRAMS.is_sorted() && LIBRARIES.is_sorted() && RENAMED.is_sorted());
        for (usual, renamed) in RENAMED {
            assert_eq!(package_of_program(usual), package_of_program(renamed), "{usual}");
        }
        assert_eq!(
            (package_of_program("psql"), package_of_program("nobody-has-it")),
            (Some("postgresql-client"), None)
        );
    }
}
