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
    assert_eq!(refusal(""), (1, "the expression ends too early; a value belongs here, as in `x == 2`".into()));
    assert_eq!(refusal("x == "), (6, "the expression ends too early; a value belongs here, as in `x == 2`".into()));
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
    let takes = "`count` takes a list, as in `count(done(\"foo\"))`, and perhaps a condition of `it`";
    assert_eq!(text("count() == 1"), takes);
    assert_eq!(text("count(done('foo'), 1) == 1"), "`count` needs a bool, this is an integer");
    assert_eq!(text("sum(x) == 1"), "`sum` takes a list and an expression, as in `sum(ok(\"foo\"), it.reply)`");
    assert_eq!(text("sum(ok('foo'), it.x) == 1"), "a call has no `x`; use `it.args`, `it.reply` or `it.by`");
    assert_eq!(text("sum(ok('foo'), it) == 1"), "`it` is a call here; use `it.args`, `it.reply` or `it.by`");
    assert_eq!(text("it == 1"), "`it` stands only in the second argument of `sum` or `count`");
    assert_eq!(text("x >= before(x)"), "`before` stands only in an invariant with `when = \"step\"`");
    assert_eq!(text("(x + y).a == 1"), "fields are taken from observations and replies only, as in `pool.assets`");
    assert_eq!(text("{1: 2} == x"), "`{` means nothing in an expression");
}

#[test]
fn before_looks_one_step_back_and_sees_no_item_of_a_list_outside() {
    let refusal = |text: &str| {
        let error = Expr::parse_for(text, &names(), Purpose::Step).map(|_| ()).expect_err(text);
        (error.column, error.text)
    };
    assert_eq!(refusal("before() == 1"), (7, "`before` takes what is observed or counted, as in `before(x)`".into()));
    let nested = "`before` stands within another one; only one step is looked back";
    assert_eq!(refusal("x == before(before(y))"), (19, nested.into()));
    let outside = "`it` stands only in the second argument of `sum` or `count`";
    assert_eq!(refusal("sum(pool.list, before(it)) == 1"), (23, outside.into()));
    assert_eq!(refusal("befor(x) == x"), (6, "unknown function `befor`, did you mean `before`?".into()));
}

#[test]
fn a_ghost_sees_a_message_and_nothing_else() {
    let refusal = |text: &str, purpose| {
        let error = Expr::parse_for(text, &names(), purpose).map(|_| ()).expect_err(text);
        (error.column, error.text)
    };
    let sees = "a ghost sees `it.args`, `it.reply` and `it.by`, and not";
    assert_eq!(refusal("x == 1", Purpose::When), (1, format!("{sees} `x`")));
    assert_eq!(refusal("1 + faulted", Purpose::Add), (5, format!("{sees} `faulted`")));
    assert_eq!(refusal("count(done('foo'))", Purpose::Add), (11, format!("{sees} `done(...)`")));
    let it = "use `it.args`, `it.reply` or `it.by`";
    assert_eq!(refusal("it + 1", Purpose::Add), (1, format!("`it` is a message here; {it}")));
    assert_eq!(refusal("it.amount", Purpose::Add), (3, format!("a message has no `amount`; {it}")));
    let boolean = "`when` must be true or false, this is an integer; compare it with something";
    assert_eq!(refusal("1 + 1", Purpose::When), (1, boolean.into()));
    assert_eq!(refusal("1 == 1", Purpose::Add), (1, "`add` must be an integer, this is a bool".into()));
}
