//! A creation that was cut off, in a real directory.
