//! Signals to the service.

use nix::sys::signal::Signal;

use super::PROMPT;
use crate::support::Place;
use crate::support::api::Api;

#[test]
fn it_stops_at_a_signal_from_the_moment_it_listens() {
    let place = Place::new();
    for _ in 0..20 {
        let took = Api::start(&place).stop();
        assert!(took < PROMPT, "{took:?}");
    }
}

#[test]
fn hangups_do_not_end_it() {
    let place = Place::new();
    let api = Api::start(&place);
    for _ in 0..5 {
        api.signal(Signal::SIGHUP);
        let list = api.curl(&place, &[], "/v2/images");
        assert!(list.contains("\"images\""), "{list}");
    }
    assert!(api.stop() < PROMPT);
}
