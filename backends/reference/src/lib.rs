//! reference backend.
