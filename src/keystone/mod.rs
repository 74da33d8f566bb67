//! Keystone's Identity API: the request of a login, its response, and the endpoints of a token's catalogue.
//!
//! The users of this module send the request and translate failures: `remote` with hints about the options of a cloud, a
//! store with hints about the options of its configuration.

mod catalog;
mod login;

pub use catalog::{find_endpoint, interface_of};
pub use login::{is_long, login_request, read_token};
