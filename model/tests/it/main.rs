//! The model against the corpus, against itself, and against what users may do wrong.

mod bad_input;
mod broken;
mod corpus;
mod counterexamples;
mod interleavings;
mod outcomes;
mod toys;
