"""The embedded Data Store that `mirrortui demo` mirrors."""
