//! Operators, and what errors of the compiler blame.

use std::collections::BTreeSet;

use crate::build::numbers;
use crate::operators::{Mutant, mutate};

fn mutated(source: &str, left_out: &[u32]) -> (Vec<String>, String) {
    let mut file = syn::parse_file(source).expect("Rust");
    let mut mutants: Vec<Mutant> = Vec::new();
    mutate("f.rs", &mut file, &mut mutants, &|number| left_out.contains(&number));
    let told = |mutant: &Mutant| format!("{}:{} {}", mutant.line, mutant.function, mutant.what);
    (mutants.iter().map(told).collect(), prettyplease::unparse(&file))
}

#[test]
fn each_operator_is_made_at_its_places() {
    let source = "impl A {\n    fn f(&self, a: u32) -> bool {\n        a < 3 && !self.g()\n    }\n}\n";
    let (told, text) = mutated(source, &[]);
    assert_eq!(
        told,
        [
            "3:A::f `<` is `==`",
            "3:A::f `<` is `>`",
            "3:A::f `<` is `<=`",
            "3:A::f `!` is not there",
            "3:A::f `&&` is `||`",
            "2:A::f returns true at once",
            "2:A::f returns false at once",
        ]
    );
    for part in ["mutant::less(0u32, &(a), &(3))", "mutant::not(3u32, self.g())", "mutant::on(6u32)"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn arms_and_guards_are_mutated_where_others_can_take_over() {
    let source = "fn f(a: Option<u32>) {\n    match a {\n        Some(1) => g(),\n        Some(n) if n > 2 => h(),\n        _ => {}\n    }\n}\n";
    let (told, text) = mutated(source, &[]);
    assert_eq!(
        told,
        [
            "4:f `>` is `==`",
            "4:f `>` is `<`",
            "4:f `>` is `>=`",
            "3:f the arm Some (1) is not there",
            "4:f the guard always holds",
            "4:f the guard never holds",
            "1:f returns () at once",
        ]
    );
    assert!(text.contains("Some(1) if !crate::mutant::on(3u32) => g()"), "{text}");
}

#[test]
fn what_is_left_out_keeps_its_number_and_is_not_made() {
    let source = "fn f(a: u32) -> u32 {\n    a + 1\n}\n";
    let (all, _) = mutated(source, &[]);
    let (same, text) = mutated(source, &[0]);
    assert_eq!(all, same);
    assert_eq!(all.len(), 4);
    assert!(text.contains("a + 1") && text.contains("mutant::on(2u32)"), "{text}");
}

#[test]
fn tests_constants_and_what_programmers_see_have_no_mutants() {
    let source = "const A: u32 = 1 + 2;\n#[cfg(test)]\nmod tests {\n    fn f() -> bool {\n        true\n    }\n}\n\
                  impl Debug for A {\n    fn fmt(&self) -> bool {\n        1 < 2\n    }\n}\n#[test]\nfn g() {}\n";
    assert!(mutated(source, &[]).0.is_empty());
}

#[test]
fn an_error_blames_the_mutants_that_begin_in_its_lines() {
    let lines = ["x += crate::mutant::mul(", "    7u32,", "    a,", "crate::mutant::on(8u32)"];
    assert_eq!(numbers(&lines[..1], &lines[1..3]), BTreeSet::from([7]));
    assert_eq!(numbers(&lines[1..3], &lines[3..]), BTreeSet::new());
    assert_eq!(numbers(&lines[3..], &[]), BTreeSet::from([8]));
}
