//! Real services: upstream's programs, what was recorded from them, and MariaDB; packages in a clean Debian.

mod broker;
mod conformance;
mod deployments;
mod four_stores;
mod hosts;
mod install;
mod interop;
mod killed;
mod manage;
mod mariadb;
mod notifications;
mod packages;
mod patches;
mod policies;
mod rbd;
mod route_matrix;
mod s3;
mod server_identity;
mod services;
mod store_faults;
mod unified_limits;
