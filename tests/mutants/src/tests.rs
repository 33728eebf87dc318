//! What operators make of small functions, and when a reason is missing or idle.

use syn::parse_quote;

use crate::explored::Found;
use crate::operators::mutants;
use crate::table::{End, Reasons, Row, complaints};

/// The bodies that an operator makes, as the source of their function.
fn made(operator: &str, source: syn::File) -> Vec<String> {
    let made = mutants(&source, &[]).into_iter().filter(|mutant| mutant.operator == operator);
    made.map(|mutant| prettyplease::unparse(&mutant.source)).collect()
}

fn source(function: syn::File) -> String {
    prettyplease::unparse(&function)
}

#[test]
fn a_write_moves_over_the_await_that_follows_it_even_if_another_write_is_between() {
    let original = parse_quote!(
        async fn pay(amount: u64) -> bool {
            mark();
            debit(amount);
            match send(amount).await {
                Ok(_) => true,
                Err(_) => false,
            }
        }
    );
    let moved: [syn::File; 2] = [
        parse_quote!(
            async fn pay(amount: u64) -> bool {
                debit(amount);
                let awaited = send(amount).await;
                mark();
                match awaited {
                    Ok(_) => true,
                    Err(_) => false,
                }
            }
        ),
        parse_quote!(
            async fn pay(amount: u64) -> bool {
                mark();
                let awaited = send(amount).await;
                debit(amount);
                match awaited {
                    Ok(_) => true,
                    Err(_) => false,
                }
            }
        ),
    ];
    assert_eq!(made("write_after_await", original), moved.map(source));
}

#[test]
fn a_refund_from_a_stale_value_is_read_before_the_await() {
    let original = parse_quote!(
        async fn pay(amount: u64) {
            if send(amount).await.is_err() {
                state(|state| state.balance += amount);
            }
        }
    );
    let stale = parse_quote!(
        async fn pay(amount: u64) {
            let stale = state(|state| state.balance);
            if send(amount).await.is_err() {
                state(|state| state.balance = stale + amount);
            }
        }
    );
    assert_eq!(made("write_stale", original), [source(stale)]);
}

#[test]
fn a_guard_is_dropped_at_once_or_before_a_later_await() {
    let original: syn::File = parse_quote!(
        async fn pay() -> Result<(), Error> {
            let _guard = Guard::new()?;
            send().await
        }
    );
    let dropped = parse_quote!(
        async fn pay() -> Result<(), Error> {
            let _ = Guard::new()?;
            send().await
        }
    );
    let early = parse_quote!(
        async fn pay() -> Result<(), Error> {
            let _guard = Guard::new()?;
            drop(_guard);
            send().await
        }
    );
    assert_eq!(made("guard_dropped", original.clone()), [source(dropped)]);
    assert_eq!(made("guard_early", original), [source(early)]);
}

#[test]
fn an_unknown_outcome_is_taken_for_a_failure() {
    let original = parse_quote!(
        fn judge(error: Error) -> Outcome {
            match error {
                error if error.is_clean() => Outcome::NotPaid,
                _ => Outcome::Unknown,
            }
        }
    );
    let as_previous = parse_quote!(
        fn judge(error: Error) -> Outcome {
            match error {
                error if error.is_clean() => Outcome::NotPaid,
                _ => Outcome::NotPaid,
            }
        }
    );
    assert_eq!(made("arm_as_previous", original), [source(as_previous)]);
}

#[test]
fn queries_stay_as_they_are() {
    let query = parse_quote!(
        #[query]
        fn balance() -> u64 {
            count();
            match state() {
                Some(state) if state.is_set => 1,
                _ => 0,
            }
        }
    );
    assert!(mutants(&query, &[]).is_empty());
}

#[test]
fn a_miss_needs_a_reason_and_a_reason_needs_a_miss() {
    let row = |name: &str, end| Row { name: name.to_string(), operator: "x", subject: 0, what: String::new(), end };
    let found = End::Found(Found { by: vec!["probe".to_string()], size: Some([1, 0, 3]) });
    let rows = [row("a", End::Missed), row("b", End::Missed), row("c", found)];
    let reasons = ["b", "c"].map(|name| (name.to_string(), "because".to_string()));
    let complaints = complaints(&rows, &Reasons::from(reasons));
    assert_eq!(complaints, ["missed without a reason: a", "a reason, but it is not missed: c"]);
}
