import no_such_package_of_losses  # noqa: F401 - this is what fails
