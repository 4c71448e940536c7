//! A backend this build leaves out: its device is listed, with the feature that would bring it.
#![cfg_attr(
    all(feature = "candle", feature = "cuda", feature = "ort", feature = "wgpu"),
    allow(dead_code, reason = "nothing was left out")
)]

use std::sync::Arc;

use yardstick_api::{
    Backend, Device, DeviceStatus, Error, Footprint, Options, Session, Unsupported,
};
use yardstick_model::{Model, ModelInfo};

/// Stands in for a backend of the same name as its feature.
pub(crate) struct Absent {
    pub(crate) backend: &'static str,
    pub(crate) device: &'static str,
}

impl Absent {
    fn refusal(&self) -> Unsupported {
        let feature = self.backend;
        Unsupported {
            reason: format!("this build was made without the feature {feature}"),
            fix: Some(format!("cargo run --release --features {feature}")),
        }
    }
}

impl Backend for Absent {
    fn name(&self) -> &str {
        self.backend
    }

    fn devices(&self) -> Vec<DeviceStatus> {
        let Unsupported { reason, fix } = self.refusal();
        vec![DeviceStatus::Missing { id: self.device.to_owned(), reason, fix }]
    }

    fn plan(&self, _: &Device, _: &ModelInfo, _: &Options) -> Result<Footprint, Unsupported> {
        Err(self.refusal())
    }

    fn load(&self, _: &Device, _: &Arc<Model>, _: &Options) -> Result<Box<dyn Session>, Error> {
        Err(self.refusal().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_left_out_is_listed_with_the_feature_that_brings_it() {
        let absent = Absent { backend: "candle", device: "candle:cpu" };
        let [DeviceStatus::Missing { id, reason, fix }] = &absent.devices()[..] else {
            panic!("one device, missing")
        };
        assert_eq!(id, "candle:cpu");
        assert!(reason.contains("candle") && fix.as_deref().unwrap_or("").contains("--features"));
    }
}
