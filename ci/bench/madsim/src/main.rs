//! The loads in madsim: to be built with `RUSTFLAGS="--cfg madsim"`.

#[cfg(madsim)]
#[path = "../../sim/src/work.rs"]
mod work;

#[cfg(madsim)]
mod arm;

fn main() {
    #[cfg(madsim)]
    arm::main();
    #[cfg(not(madsim))]
    panic!("build this with RUSTFLAGS=\"--cfg madsim\"");
}
