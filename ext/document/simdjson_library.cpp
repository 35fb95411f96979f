// simdjson itself, from the build requirement that ships its sources: setuptools takes no sources
// from outside of the project.
#include <simdjson.cpp>
