//! What targets share: counters that libFuzzer looks at, and how a target ends that cannot begin.

use canloom::fuzz::feedback::COUNTERS;

/// A section of this name is read after each run, and cleared before the next one.
#[unsafe(link_section = "__libfuzzer_extra_counters")]
static mut EXTRA: [u8; COUNTERS] = [0; COUNTERS];

/// The counters.
pub fn counters() -> &'static mut [u8] {
    // libFuzzer runs one input at a time, and nobody keeps the slice beyond its run.
    unsafe { &mut *(&raw mut EXTRA) }
}

/// Takes back what canloom's own code has counted of itself, where cargo-fuzz has instrumented it: which of its branches a
/// schedule takes depends on what was remembered before, and says nothing of the canisters.
pub fn only_counters() {
    #[cfg(fuzzing)]
    {
        unsafe extern "C" {
            static mut __start___sancov_cntrs: u8;
            static mut __stop___sancov_cntrs: u8;
        }
        unsafe {
            let (first, end) = (&raw mut __start___sancov_cntrs, &raw mut __stop___sancov_cntrs);
            first.write_bytes(0, end.offset_from_unsigned(first));
        }
    }
}

/// One of canloom's counters for certain, so that the section is there where nothing else is instrumented.
#[cfg(fuzzing)]
#[used]
#[unsafe(link_section = "__sancov_cntrs")]
static ONE: u8 = 0;

/// Ends a target that cannot begin: one line, and no artifact, for it is no finding.
pub fn fail(why: &str) -> ! {
    eprintln!("canloom: {why}");
    unsafe { libc_exit(2) }
}

unsafe extern "C" {
    // Without the handlers that libFuzzer has put behind `exit`, which would call this a crash.
    #[link_name = "_exit"]
    fn libc_exit(code: i32) -> !;
}
