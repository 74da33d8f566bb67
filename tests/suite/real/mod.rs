//! Real services: upstream's programs, what was recorded from them, and MariaDB.

mod conformance;
mod deployments;
mod interop;
mod manage;
mod mariadb;
mod notifications;
mod patches;
