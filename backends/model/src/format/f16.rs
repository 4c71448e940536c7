//! F16: IEEE 754 half precision.
