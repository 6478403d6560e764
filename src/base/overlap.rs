//! What happens where two trees that are laid over each other hold different files at one path.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Overlap {
    Refuse,
    FirstWins,
}
