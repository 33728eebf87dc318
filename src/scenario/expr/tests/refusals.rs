//! What is said of expressions that are wrong, with column and exact text.

use super::*;

fn refusal(text: &str) -> (usize, String) {
    let error = Expr::parse(text, &names()).map(|_| ()).expect_err(text);
    (error.column, error.text)
}

#[test]
fn unknown_names_come_with_the_nearest_one() {
    assert_eq!(refusal("1 == pol"), (6, "unknown name `pol`, did you mean `pool`?".into()));
    assert_eq!(refusal("not pol"), (5, "unknown name `pol`, did you mean `pool`?".into()));
    assert_eq!(refusal("quite"), (1, "unknown name `quite`, did you mean `quiet`?".into()));
    assert_eq!(refusal("count(done(\"fo\")) == 1"), (12, "unknown call `fo`, did you mean `foo`?".into()));
    assert_eq!(refusal("count(done(\"foo\", bop)) == 1"), (19, "unknown actor `bop`, did you mean `bob`?".into()));
    assert_eq!(refusal("cuont(x) == 1"), (6, "unknown function `cuont`, did you mean `count`?".into()));
}

#[test]
fn types_are_checked_as_far_as_they_are_known() {
    assert_eq!(
        refusal("1 + 1"),
        (1, "an invariant must be true or false, this is an integer; compare it with something".into())
    );
    assert_eq!(refusal("x + \"a\" == 1"), (5, "`+` needs an integer, this is a text".into()));
    assert_eq!(refusal("not 3"), (5, "`not` needs a bool, this is an integer".into()));
    assert_eq!(refusal("quiet and 1"), (11, "`and` needs a bool, this is an integer".into()));
    assert_eq!(refusal("x => 1"), (6, "`or` or `=>` needs a bool, this is an integer".into()));
    assert_eq!(refusal("quiet == 1"), (7, "`==` cannot compare a bool with an integer".into()));
    assert_eq!(refusal("quiet < quiet"), (7, "`<` cannot compare a bool with a bool".into()));
    assert_eq!(refusal("x == (quiet ? 1 : 'a')"), (13, "the two sides of `:` differ: an integer and a text".into()));
    assert_eq!(refusal("1.5 + x == 1.5"), (1, "`+` needs an integer, this is a float".into()));
    assert_eq!(refusal("sum(ok('foo'), it.by == alice) == 1"), (22, "`sum` needs an integer, this is a bool".into()));
}

#[test]
fn syntax_errors_name_the_users_column() {
    assert_eq!(refusal(""), (1, "the expression ends too early".into()));
    assert_eq!(refusal("x == "), (6, "the expression ends too early".into()));
    assert_eq!(refusal("(x == 1"), (8, "`)` is missing".into()));
    assert_eq!(refusal("not x == 1 and y y"), (18, "cannot go on at `y`".into()));
    assert_eq!(refusal("'é' == x == y z"), (15, "cannot go on at `z`".into()));
    assert_eq!(refusal("x == 1 @"), (8, "`@` means nothing in an expression".into()));
}

#[test]
fn what_the_language_does_not_have_is_named() {
    let text = |text| refusal(text).1;
    assert_eq!(
        text("pool.list.all(i, i > 1)"),
        "there are no loops; use `count(list)` and `sum(list, expression of it)`"
    );
    assert_eq!(
        text("x.size() == 1"),
        "`x.size(...)` is not part of the language; there are `count(list)` and `sum(list, e)`"
    );
    assert_eq!(text("[1] == x"), "a list stands only after `in`, as in `x in [1, 2]`");
    assert_eq!(text("x in y"), "after `in` stands a list, as in `x in [1, 2]`");
    assert_eq!(text("done(\"foo\") == 1"), "`done(...)` is a list of calls; write `count(done(...))`");
    assert_eq!(text("count(done(foo)) == 1"), "`done` takes the id of a call in quotes, as in `done(\"foo\")`");
    assert_eq!(
        text("count(done()) == 1"),
        "`done` takes the id of a call, as in `done(\"foo\")`, and perhaps an actor"
    );
    assert_eq!(text("count(done(\"foo\", 1 + 1)) == 1"), "an actor's name is needed here");
    assert_eq!(text("count == 1"), "`count` is a function; write `count(...)`");
    assert_eq!(text("count() == 1"), "`count` takes one list, as in `count(done(\"foo\"))`");
    assert_eq!(text("sum(x) == 1"), "`sum` takes a list and an expression, as in `sum(ok(\"foo\"), it.reply)`");
    assert_eq!(text("sum(ok('foo'), it.args.x) == 1"), "`it.args` is not offered yet; use `it.reply` or `it.by`");
    assert_eq!(text("sum(ok('foo'), it.x) == 1"), "a call has no `x`; use `it.reply` or `it.by`");
    assert_eq!(text("sum(ok('foo'), it) == 1"), "`it` is a call here; use `it.reply` or `it.by`");
    assert_eq!(text("it == 1"), "`it` stands only in the second argument of `sum`");
    assert_eq!(text("x >= before(x)"), "`before` is not offered yet");
    assert_eq!(text("(x + y).a == 1"), "fields are taken from observations and replies only, as in `pool.assets`");
    assert_eq!(text("{1: 2} == x"), "`{` means nothing in an expression");
}
