list(APPEND _sources obstructions/blocking.cc obstructions/obstruction_finder.cc obstructions/routes.cc)
