//! The names of target types that code compares with, as constants: the compiler finds a misspelt one. All types with their
//! fields are in the tables beside this file.

/// Defines a constant for each name.
macro_rules! names {
    ($($constant:ident = $name:literal;)+) => {
        $(#[doc = concat!("The target type `", $name, "`.")]
        pub const $constant: &str = $name;)+

        /// All of them.
        #[cfg(test)]
        const ALL: &[&str] = &[$($name),+];
    };
}

names! {
    ARCHIVE = "archive";
    DOCKER_IMAGE = "docker_image";
    FILE = "file";
    MAKESELF_ARCHIVE = "makeself_archive";
    MKDOCS_SITE = "mkdocs_site";
    OCI_IMAGE = "oci_image";
    PEX_BINARY = "pex_binary";
    PLATFORM_RESOURCES = "platform_resources";
    PROTOBUF_SOURCE = "protobuf_source";
    PYOXIDIZER_BINARY = "pyoxidizer_binary";
    PYTHON_AWS_LAMBDA_FUNCTION = "python_aws_lambda_function";
    PYTHON_AWS_LAMBDA_LAYER = "python_aws_lambda_layer";
    PYTHON_AWSLAMBDA = "python_awslambda";
    PYTHON_DISTRIBUTION = "python_distribution";
    PYTHON_GOOGLE_CLOUD_FUNCTION = "python_google_cloud_function";
    PYTHON_REQUIREMENT = "python_requirement";
    PYTHON_SOURCE = "python_source";
    PYTHON_TEST = "python_test";
    PYTHON_TESTS = "python_tests";
    RELOCATED_FILES = "relocated_files";
    RESOURCE = "resource";
    SCIE_BINARY = "scie_binary";
    SPHINX_DOCS = "sphinx_docs";
    SHELL_SOURCE = "shell_source";
    SHUNIT2_TEST = "shunit2_test";
    THRIFT_SOURCE = "thrift_source";
    VCS_VERSION = "vcs_version";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::kind::Kind;

    #[test]
    fn every_name_is_in_the_tables() {
        for name in ALL {
            assert!(Kind::find(name).is_some(), "{name}");
        }
    }
}
