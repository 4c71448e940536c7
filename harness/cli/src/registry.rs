//! The registry of backends: adding one is one line here.

use yardstick_api::Backend;

/// Every backend this build carries. `test_doubles` adds the ones that misbehave on purpose.
pub(crate) fn backends(test_doubles: bool) -> Vec<Box<dyn Backend>> {
    let mut backends: Vec<Box<dyn Backend>> = vec![
        #[cfg(feature = "cpu")]
        Box::new(yardstick_cpu::CpuBackend::new()),
        Box::new(yardstick_reference::Reference),
    ];
    if test_doubles {
        backends.push(Box::new(yardstick_null::Null::misbehaving()));
    }
    backends
}
