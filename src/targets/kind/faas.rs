//! Target types of cloud functions. How they are packaged is in `prepare::package`.

use super::core::{ENVIRONMENT, OUTPUT_PATH};
use super::field::{Field, Shape, addresses, field, flag_on, string, string_list};
use super::python::RESOLVE;
use super::{FieldGroups, Kind, plain};

const AWS: &str = "pants.backend.awslambda.python";
const GOOGLE: &str = "pants.backend.google_cloud_function.python";

/// The target types of this module.
pub(super) const KINDS: &[Kind] = &[
    plain("python_aws_lambda_function", "A function for AWS Lambda.", FUNCTION).in_backend(AWS),
    plain("python_aws_lambda_layer", "A layer of dependencies that AWS Lambda functions share.", LAYER).in_backend(AWS),
    plain("python_awslambda", "An older name of `python_aws_lambda_function`.", FUNCTION).in_backend(AWS),
    plain("python_google_cloud_function", "A function for Google Cloud.", CLOUD_FUNCTION).in_backend(GOOGLE),
];

const HANDLER: Field = string("handler", "The function to call: `file.py:function` or `module:function`.").required();

const PACKAGE: &[Field] = &[
    addresses("complete_platforms", "Files that describe the target platforms."),
    ENVIRONMENT,
    OUTPUT_PATH,
    RESOLVE,
    string("runtime", "The provider's name of the Python runtime."),
];

/// Fields of newer Pants versions, whose defaults are not verified. They are shown only if they are set.
const NEWER: &[Field] = &[
    string("layout", "The layout of the output: one file, or a directory.").hidden(),
    string_list("pex3_venv_create_extra_args", "More command line arguments for Pex.").hidden(),
    string_list("pex_build_extra_args", "More command line arguments for Pex.").hidden(),
    addresses("uv_platforms", "Files that describe the target platforms.").hidden(),
];

const ARCHITECTURE: Field = string("architecture", "The machine architecture of the function.").hidden();
const INCLUDE_REQUIREMENTS: Field = flag_on("include_requirements", "Include third-party requirements.");

const FUNCTION: FieldGroups = &[&[HANDLER, INCLUDE_REQUIREMENTS, ARCHITECTURE], PACKAGE, NEWER];

const LAYER: FieldGroups = &[
    &[INCLUDE_REQUIREMENTS, flag_on("include_sources", "Include first-party sources."), ARCHITECTURE],
    PACKAGE,
    NEWER,
];

const CLOUD_FUNCTION: FieldGroups = &[
    &[HANDLER, field("type", Shape::OneOf(&["event", "http"]), "null", "The trigger of the function.").required()],
    PACKAGE,
    NEWER,
];
