//! Completion scripts for shells. They ask the goal `complete`, which is in `complete`, at each completion, so that they need not be
//! created again for a new version.

use crate::base::text::nearest;

/// The supported shells with their scripts.
pub(super) const SHELLS: [(&str, &str); 3] = [
    ("bash", include_str!("completions/waders.bash")),
    ("fish", include_str!("completions/waders.fish")),
    ("zsh", include_str!("completions/waders.zsh")),
];

/// Why there is no completion script.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// The shell is not supported.
    #[error("unsupported shell `{shell}`")]
    UnknownShell {
        /// As written.
        shell: String,
        /// The supported shell that was probably meant.
        near: Option<&'static str>,
    },
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let Error::UnknownShell { near, .. } = self;
        Some(match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "supported shells: `bash`, `fish`, `zsh`".to_owned(),
        })
    }
}

/// The completion script of a shell.
pub fn script(shell: &str) -> Result<&'static str, Error> {
    let found = SHELLS.iter().find(|(name, _)| *name == shell);
    let (_, script) = found.ok_or_else(|| Error::UnknownShell {
        shell: shell.to_owned(),
        near: nearest(shell, SHELLS.map(|(name, _)| name)),
    })?;
    Ok(script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_asks_the_program() {
        for (shell, _) in SHELLS {
            assert!(script(shell).unwrap().contains(" complete -- "), "{shell}");
        }
    }

    #[test]
    fn an_unknown_shell_is_refused() {
        assert_eq!(script("bsh").unwrap_err().hint().unwrap(), "did you mean `bash`?");
        assert_eq!(script("tcsh-like").unwrap_err().hint().unwrap(), "supported shells: `bash`, `fish`, `zsh`");
    }
}
