//! The page: how many mutants of each file were found, and which were not.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::Wish;
use crate::build::Built;
use crate::run::{End, Test};

const HEAD: &str = "\
# Mutants of canloom itself

Written by `make self-mutants`. The operators are those of [cargo-mutants](https://mutants.rs/mutants.html): a function returns a
plain value at once, an operator is replaced by another, a negation or an arm of a `match` is missing, a guard is constant. All
of them are in one binary, behind numbers, so a mutant costs only its tests: of those that execute its place, the shortest
first, until one fails or the time is spent. Tests that take longer than 10 s, the comparisons of large searches among them, are
left out, so a survivor may still be found by `make test`.
";

/// Makes the page.
pub fn page(built: &Built, tests: &[Test], ends: &BTreeMap<u32, End>, wish: &Wish) -> String {
    let mut files: BTreeMap<&str, [usize; 5]> = BTreeMap::new();
    let mut all = [0; 5];
    for (number, mutant) in built.mutants.iter().enumerate() {
        let number = number as u32;
        let column = match ends.get(&number) {
            _ if built.left_out.contains(&number) => 1,
            Some(End::Found) => 2,
            Some(End::Survived) => 3,
            Some(End::NotReached) => 4,
            None => 0,
        };
        let counts = files.entry(&mutant.file).or_default();
        for counts in [counts, &mut all] {
            if column > 0 {
                counts[column] += 1;
            }
            counts[0] += 1;
        }
    }
    let mut page = HEAD.to_string();
    let run = all[2] + all[3] + all[4];
    let _ = writeln!(
        page,
        "\nOf {} mutants that compile, {run} were run ({}, up to {} s of tests each, of {}): {} found, {} survived, {} in places \
         that no such test executes.\n",
        all[0] - all[1],
        match wish.every {
            1 => "all".to_string(),
            every => format!("one in {every}"),
        },
        wish.budget,
        tests.len(),
        all[2],
        all[3],
        all[4]
    );
    page.push_str("| file | made | does not compile | found | survived | not executed |\n|---|---|---|---|---|---|\n");
    for (file, counts) in files.iter().chain([(&"all", &all)]) {
        let cells: Vec<String> = counts.iter().map(usize::to_string).collect();
        let _ = writeln!(page, "| {file} | {} |", cells.join(" | "));
    }
    page.push_str("\n## Survivors\n\n| place | function | mutant | executed |\n|---|---|---|---|\n");
    for (number, mutant) in built.mutants.iter().enumerate() {
        let executed = match ends.get(&(number as u32)) {
            Some(End::Survived) => "yes",
            Some(End::NotReached) => "no",
            _ => continue,
        };
        let cell = |text: &str| text.replace('|', "\\|");
        let place = format!("{}:{}", mutant.file, mutant.line);
        let _ = writeln!(page, "| {place} | `{}` | {} | {executed} |", cell(&mutant.function), cell(&mutant.what));
    }
    page
}
