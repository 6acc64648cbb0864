//! The core by itself. `cases`, `operators` and `beyond` say in small scripts what it does; `world` is a world of fake
//! processes that checks every action against what must always be true; `model` explores that
//! world: exhaustively for small trees, at random for larger ones, and with bugs planted.

mod beyond;
mod cases;
mod model;
mod operators;
mod script;
mod world;
