//! Target types of interface definitions from which code is generated: Protocol Buffers and Thrift.

use super::field::{Field, flag_off, skip, string, string_list};
use super::{FieldGroups, Kind, file_generator, single_source};

const PROTOBUF_PYTHON: &str = "pants.backend.codegen.protobuf.python";
const THRIFT_PYTHON: &str = "pants.backend.codegen.thrift.apache.python";
const GO: &[&str] = &["pants.backend.experimental.codegen.protobuf.go"];
const BUF: &[&str] = &["pants.backend.codegen.protobuf.lint.buf", "pants.backend.codegen.protobuf.buf"];
const JVM: &[&str] = &[
    "pants.backend.experimental.codegen.protobuf.java",
    "pants.backend.experimental.codegen.protobuf.scala",
    "pants.backend.experimental.codegen.thrift.apache.java",
    "pants.backend.experimental.codegen.thrift.scrooge.java",
    "pants.backend.experimental.codegen.thrift.scrooge.scala",
];
const SCROOGE: &[&str] = &[
    "pants.backend.experimental.codegen.thrift.scrooge.java",
    "pants.backend.experimental.codegen.thrift.scrooge.scala",
];

/// The target types of this module.
pub(super) const KINDS: &[Kind] = &[
    single_source("protobuf_source", "A Protocol Buffers file.", PROTOBUF).in_backend(PROTOBUF_PYTHON),
    file_generator("protobuf_sources", "protobuf_source", "A `protobuf_source` for each file.", &["*.proto"])
        .in_backend(PROTOBUF_PYTHON),
    single_source("thrift_source", "A Thrift file.", THRIFT).in_backend(THRIFT_PYTHON),
    file_generator("thrift_sources", "thrift_source", "A `thrift_source` for each file.", &["*.thrift"])
        .in_backend(THRIFT_PYTHON),
];

const JVM_JDK: Field = string("jvm_jdk", "The JDK for the generated Java or Scala code.").with_backends(JVM).copied();
const JVM_RESOLVE: Field =
    string("jvm_resolve", "The resolve of the generated Java or Scala code.").with_backends(JVM).copied();

const PROTOBUF: FieldGroups = &[&[
    string("go_mod_address", "The address of the `go_mod` target for the generated Go code.")
        .with_backends(GO)
        .copied(),
    flag_off("grpc", "Also generate gRPC services."),
    JVM_JDK,
    JVM_RESOLVE,
    string_list("python_interpreter_constraints", "Interpreter constraints of the generated Python code.")
        .with_backends(&[PROTOBUF_PYTHON])
        .copied(),
    string("python_resolve", "The resolve of the generated Python code; by default `[python].default_resolve`.")
        .with_backends(&[PROTOBUF_PYTHON])
        .copied(),
    string("python_source_root", "The source root of the generated Python code; by default that of the file.")
        .with_backends(&[PROTOBUF_PYTHON])
        .copied(),
    skip("skip_buf_format", BUF),
    skip("skip_buf_lint", BUF),
]];

const THRIFT: FieldGroups = &[&[
    flag_off("finagle", "Also generate Finagle classes.").with_backends(SCROOGE).copied(),
    JVM_JDK,
    JVM_RESOLVE,
    string("python_resolve", "The resolve of the generated Python code; by default `[python].default_resolve`.")
        .with_backends(&[THRIFT_PYTHON])
        .copied(),
]];
