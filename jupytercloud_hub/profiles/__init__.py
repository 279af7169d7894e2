"""What a person may run: catalogue, access, options, resources, and the form's view model. Pure."""
