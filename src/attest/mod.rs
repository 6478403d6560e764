//! Attestations: what a result was made of, as documents that others can check. In-toto statements with SLSA provenance or the
//! result of tests, CycloneDX bills of materials, and how a signed statement is checked. Pure: what a result was made of is found
//! out in `prepare::attest`, files are read and written in `goals::attest`, and signatures are in `signing`.

pub mod bundle;
pub mod check;
mod licence;
pub mod material;
pub mod provenance;
pub mod purl;
pub mod sbom;
pub mod statement;
pub mod test_result;

pub use licence::Licence;
pub use material::{Material, MaterialKind, Role};
pub use statement::{Statement, Subject};
