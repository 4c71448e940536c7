//! analyse.
