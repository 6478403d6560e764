//! The one integration-test binary: a module for each promise that needs more than one room.
mod built_in_locks;

mod store_crash;
mod store_damage;
mod store_speed;
