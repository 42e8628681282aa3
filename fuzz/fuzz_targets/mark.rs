//! The mark: no name or description makes its reader panic, and what it reads as a mark of ours is one that it would
//! have written.

#![no_main]

use jiff::SignedDuration;
use lastgood::seams::policy::name::is_name;
use lastgood::seams::policy::mark::{Mark, is_beginning, token_of_description, token_of_name, tokens_of};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (name, description) = text.split_once('\n').unwrap_or(("", text));
    let tokens: Vec<_> = tokens_of(Some(name), description).collect();
    assert_eq!(
        tokens.len(),
        usize::from(token_of_name(name).is_some()) + usize::from(token_of_description(description).is_some())
    );
    for token in &tokens {
        assert!(text.contains(&format!("lg-{token}")), "a token that is not in the text: {token}");
    }
    let Some(mark) = Mark::parse(description) else { return };
    assert!(is_name(&mark.instance) && is_name(&mark.policy));
    assert_eq!(token_of_description(description).as_ref(), Some(&mark.token), "a whole mark has its token");
    // Written anew it is the same mark, its time to the millisecond.
    let written = mark.description();
    let again = Mark::parse(&written).expect("what we write is a mark");
    // Before 1970 what is left out of a second counts the other way.
    let most = if mark.due.as_second() < 0 { 1000 } else { 1 };
    assert!(
        again.due.duration_until(mark.due).abs() <= SignedDuration::from_millis(most),
        "{} is {}",
        again.due,
        mark.due
    );
    assert_eq!(again, Mark { due: again.due, ..mark.clone() });
    assert_eq!(again.description(), written);
    assert_eq!(token_of_name(&mark.name()), Some(mark.token.clone()), "{}", mark.name());
    assert!(is_beginning(&written[..8], &written));
});
