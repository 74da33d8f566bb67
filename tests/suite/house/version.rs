//! What `build.rs` says of the version.

#[path = "../../../build.rs"]
#[expect(dead_code, reason = "only the parts without effects are tested")]
mod build;

#[test]
fn a_date_is_that_of_the_calendar() {
    // The last day of a leap year, and the days around the end of February in leap years and others.
    let mut seconds: Vec<i64> = vec![0, 86_399, 86_400, 951_782_400, 951_868_800, 978_220_800];
    seconds.extend((0..200).map(|step| step * 31_556_952 / 3));
    for seconds in seconds {
        let time = jiff_date(seconds);
        assert_eq!(build::date(seconds), time, "{seconds}");
    }
}

fn jiff_date(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds).unwrap();
    time.strftime("%Y-%m-%d").to_string()
}

#[test]
fn a_hash_is_hexadecimal_and_not_shorter_than_what_is_printed() {
    assert!(build::is_hash("f00baa1"));
    assert!(build::is_hash("0123456789abcdef0123456789abcdef01234567"));
    for other in ["", "f00baa", "$Format:%H", "f00baa1-dirty", "f00baag"] {
        assert!(!build::is_hash(other), "{other}");
    }
}
