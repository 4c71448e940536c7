//! Whose answers count as right: the reference weights of each model, and the devices that may compute them.

use yardstick_api::{Device, DeviceClass, DeviceKind, DeviceStatus, Numerics};

use super::{Catalogue, Error, Inventory, ModelRequest, ModelSource, Role, resolve};

/// The format that presets are held against unless something else is named.
const EXACT_FORMAT: &str = "F16";

/// Adds the reference weights of each model to the list, and tells where they are.
pub(super) fn add(
    models: &mut Vec<ModelRequest>,
    asked: Option<&str>,
    catalogue: &Catalogue,
) -> Result<Vec<Option<usize>>, Error> {
    let measured = models.clone();
    let mut places = Vec::new();
    for model in &measured {
        let reference = reference(model, asked, catalogue)?;
        let known = models.iter().position(|known| *known == reference);
        places.push(Some(known.unwrap_or_else(|| {
            models.push(reference);
            models.len() - 1
        })));
    }
    Ok(places)
}

/// A format means the same preset in it; a file without a named reference is held against itself.
fn reference(
    model: &ModelRequest,
    asked: Option<&str>,
    catalogue: &Catalogue,
) -> Result<ModelRequest, Error> {
    let is_format =
        |name: &str| catalogue.quantisations.iter().any(|known| known.eq_ignore_ascii_case(name));
    let format = asked.filter(|name| is_format(name));
    let named = match (asked, &model.source) {
        (Some(name), _) if format.is_none() => name.to_owned(),
        (_, ModelSource::Preset { .. }) => {
            let preset = model.name.rsplit_once(':').map_or(&*model.name, |(preset, _)| preset);
            format!("{preset}:{}", format.unwrap_or(EXACT_FORMAT))
        }
        _ => return Ok(model.clone()),
    };
    let mut found = resolve(std::slice::from_ref(&named), &[], catalogue)?;
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        _ => Err(Error::Name {
            message: format!("reference {named:?} names several models; name one"),
        }),
    }
}

/// Devices of this program on hardware that compute in f32: GPUs first, then the others in their order.
pub(super) fn exact(inventory: &Inventory) -> Vec<Device> {
    let own =
        inventory.backends.iter().filter(|found| matches!(found.role, Role::Own | Role::Oracle));
    let ready = own.flat_map(|found| &found.devices).filter_map(|status| match status {
        DeviceStatus::Ready(device) => Some(device),
        DeviceStatus::Missing { .. } => None,
    });
    let exact = |device: &&Device| {
        device.class == DeviceClass::Hardware
            && device.preferred
            && device.numerics.contains(&Numerics::F32)
    };
    let mut devices: Vec<Device> = ready.filter(exact).cloned().collect();
    devices.sort_by_key(|device| device.kind != DeviceKind::Gpu);
    devices
}
