//! Sensors of the machine, one file each: energy, power, temperature, clocks. They are read by one thread while a test
//! runs, and looked at by the doctor.

mod battery;
mod checkup;
mod counter;
mod cpufreq;
mod gauge;
mod hwmon;
mod moments;
mod nvml;
mod perf_rapl;
mod pmic;
mod rapl;
mod sampler;
mod sensor;
mod thermal;
mod throttle;

pub use checkup::{Checkup, Diagnosis, Gap, checkup};
pub(crate) use moments::Moments;
pub(crate) use sampler::Sensors;
pub(crate) use sensor::About;

#[cfg(test)]
mod tests;
