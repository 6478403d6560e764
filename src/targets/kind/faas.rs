//! Functions of cloud providers. They load, depend on what they start and answer to goals that read; Waders does not build
//! them yet.

use super::core::{ENVIRONMENT, OUTPUT_PATH};
use super::field::{Field, Shape, addresses, field, on, text, texts};
use super::python::RESOLVE;
use super::{Groups, Kind, plain};

const AWS: &str = "pants.backend.awslambda.python";
const GOOGLE: &str = "pants.backend.google_cloud_function.python";

pub const KINDS: &[Kind] = &[
    plain("python_aws_lambda_function", "A function for AWS Lambda.", FUNCTION).of_backend(AWS),
    plain("python_aws_lambda_layer", "What functions for AWS Lambda share.", LAYER).of_backend(AWS),
    plain("python_awslambda", "An older name of `python_aws_lambda_function`.", FUNCTION).of_backend(AWS),
    plain("python_google_cloud_function", "A function for Google Cloud.", CLOUD_FUNCTION).of_backend(GOOGLE),
];

const HANDLER: Field = text("handler", "What it starts: `file.py:function`, `module:function`.").needed();

const PACKAGE: &[Field] = &[
    addresses("complete_platforms", "Files that describe the platforms it is for."),
    ENVIRONMENT,
    OUTPUT_PATH,
    RESOLVE,
    text("runtime", "The provider's name of the interpreter."),
];

/// Of versions that were not looked at: shown where they are set.
const NEWER: &[Field] = &[
    text("layout", "One file, or a directory.").rare(),
    texts("pex3_venv_create_extra_args", "More arguments for pex.").rare(),
    texts("pex_build_extra_args", "More arguments for pex.").rare(),
    addresses("uv_platforms", "Files that describe the platforms it is for.").rare(),
];

const ARCHITECTURE: Field = text("architecture", "The machine it is for.").rare();
const INCLUDE_REQUIREMENTS: Field = on("include_requirements", "Put its requirements in.");

const FUNCTION: Groups = &[&[HANDLER, INCLUDE_REQUIREMENTS, ARCHITECTURE], PACKAGE, NEWER];

const LAYER: Groups =
    &[&[INCLUDE_REQUIREMENTS, on("include_sources", "Put its sources in."), ARCHITECTURE], PACKAGE, NEWER];

const CLOUD_FUNCTION: Groups =
    &[&[HANDLER, field("type", Shape::OneOf(&["event", "http"]), "null", "What calls it.").needed()], PACKAGE, NEWER];
