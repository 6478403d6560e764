//! Refuses targets that need generated files: outputs of commands, downloads, and code from interface definitions. None of them is
//! generated yet. Packages that name the target in this error have their own check in `package`.

use crate::inference::closure::Closure;
use crate::prepare::Error;
use crate::targets::Address;

/// An error if a closure contains files that would have to be generated.
pub(super) fn refuse(closure: &Closure<'_>) -> Result<(), Error> {
    if !closure.generated.is_empty() {
        return Err(Error::NeedsOutputs(to_texts(&closure.generated)));
    }
    match closure.definitions.is_empty() {
        true => Ok(()),
        false => Err(Error::NeedsGenerated(to_texts(&closure.definitions))),
    }
}

fn to_texts(addresses: &[&Address]) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}
