//! Interface definitions: Protocol Buffers and Thrift. Code is generated from them.

use super::field::{Field, off, skip, text, texts};
use super::{Groups, Kind, many, one};

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

pub const KINDS: &[Kind] = &[
    one("protobuf_source", "A file of Protocol Buffers.", PROTOBUF).of_backend(PROTOBUF_PYTHON),
    many("protobuf_sources", "protobuf_source", "A `protobuf_source` for each file.", &["*.proto"])
        .of_backend(PROTOBUF_PYTHON),
    one("thrift_source", "A file of Thrift.", THRIFT).of_backend(THRIFT_PYTHON),
    many("thrift_sources", "thrift_source", "A `thrift_source` for each file.", &["*.thrift"])
        .of_backend(THRIFT_PYTHON),
];

const JVM_JDK: Field = text("jvm_jdk", "The JDK of the Java or Scala that is made of it.").with(JVM).copied();
const JVM_RESOLVE: Field =
    text("jvm_resolve", "The resolve of the Java or Scala that is made of it.").with(JVM).copied();

const PROTOBUF: Groups = &[&[
    text("go_mod_address", "The `go_mod` of the Go that is made of it.").with(GO).copied(),
    off("grpc", "Also make its services."),
    JVM_JDK,
    JVM_RESOLVE,
    texts("python_interpreter_constraints", "Which interpreters the Python runs on that is made of it.")
        .with(&[PROTOBUF_PYTHON])
        .copied(),
    text("python_resolve", "The resolve of the Python that is made of it; else `[python].default_resolve`.")
        .with(&[PROTOBUF_PYTHON])
        .copied(),
    text("python_source_root", "Below which source root the Python is made; else below its own.")
        .with(&[PROTOBUF_PYTHON])
        .copied(),
    skip("skip_buf_format", BUF),
    skip("skip_buf_lint", BUF),
]];

const THRIFT: Groups = &[&[
    off("finagle", "Also make Finagle's classes.").with(SCROOGE).copied(),
    JVM_JDK,
    JVM_RESOLVE,
    text("python_resolve", "The resolve of the Python that is made of it; else `[python].default_resolve`.")
        .with(&[THRIFT_PYTHON])
        .copied(),
]];
