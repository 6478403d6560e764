//! The upkeep of a store: what takes its space, its verification and repair, and the removal of what was not used recently. Nothing
//! here runs as part of a step.

pub(super) mod collect;
pub(super) mod damage;
mod kept;
pub(super) mod listing;
pub(super) mod repair;
pub(super) mod rows;
pub(super) mod usage;
