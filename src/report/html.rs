//! A counterexample as one HTML file that needs nothing else.
//!
//! In: a [`Story`]. Out: a page that draws it. The document is in the page as JSON, with the signs escaped that could end it; the
//! page's script puts texts in as text, so that no name can become part of the page.

use minijinja::value::Serde;
use minijinja::{Environment, context};
use serde::Serialize;

use super::story::Story;

/// The page; its name makes minijinja escape what is put in.
const PAGE: (&str, &str) = ("page.html", include_str!("html/page.html"));

/// The page of a story.
pub fn page(story: &Story) -> String {
    drawn(&format!("{}: {}", story.scenario, story.invariant), story)
}

/// The page of a document with the keys of a [`Story`].
pub fn drawn(title: &str, story: &impl Serialize) -> String {
    let mut environment = Environment::new();
    environment.add_template(PAGE.0, PAGE.1).expect("bug in canloom: the page is a template");
    let template = environment.get_template(PAGE.0).expect("bug in canloom: just added");
    template.render(context! { title, data => Serde(story) }).expect("bug in canloom: the page can be written")
}
