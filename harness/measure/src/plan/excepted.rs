//! Names in `[[except]]` and `[[budget]]` that nothing can have: a typing error there would measure what was to be left out.

use super::{Catalogue, Error, Inventory, resolve};
use crate::suite::{Scope, Suite, There};

/// An error for the first name that matches no test, device or model: neither of the suite as written, so that a flag that
/// narrows a run does not break its suite, nor as the flags changed it, nor known on this machine.
pub(super) fn check(
    written: &Suite,
    changed: &Suite,
    inventory: &Inventory,
    catalogue: &Catalogue,
) -> Result<(), Error> {
    let excepts = changed.except.iter().map(|except| &except.scope).enumerate();
    let budgets = changed.budgets.iter().map(|budget| &budget.scope).enumerate();
    let scopes: Vec<(String, &Scope)> = excepts
        .map(|(i, scope)| (format!("[[except]] {}", i + 1), scope))
        .chain(budgets.map(|(i, scope)| (format!("[[budget]] {}", i + 1), scope)))
        .collect();
    if scopes.is_empty() {
        return Ok(());
    }
    let there = there([written, changed], inventory, catalogue);
    for (place, scope) in scopes {
        if let Some((key, found)) = scope.idle(&there) {
            let (found, known) = (found.to_owned(), there.list(key));
            return Err(Error::MatchesNothing { place, key, found, known });
        }
    }
    Ok(())
}

fn there(suites: [&Suite; 2], inventory: &Inventory, catalogue: &Catalogue) -> There {
    let mut there = There::default();
    for suite in suites {
        there.tests.extend(suite.tests.iter().map(ToString::to_string));
        // What cannot be resolved is not run, so nothing can be left out of it.
        for model in &suite.models {
            let named = resolve(std::slice::from_ref(model), &suite.quantisations, catalogue);
            there.models.extend(named.into_iter().flatten().map(|request| request.name));
        }
    }
    there.devices.extend(inventory.statuses().map(|status| status.id().to_owned()));
    there.devices.extend(inventory.backends.iter().map(|found| found.backend.clone()));
    there.devices.extend(inventory.unasked.iter().cloned());
    there
}
