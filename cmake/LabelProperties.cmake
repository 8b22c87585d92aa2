# For ctest, after the tests of a program are known: those whose name carries the ID of a security property have the label
# security too, wherever they are, so that `ctest -L security` is the list of docs/security.md.
# Needs cordon_tests, the names, and cordon_label, what they have already.
if(NOT cordon_label STREQUAL "wine")  # those run where wine is, by scripts/test-windows
  foreach(_test IN LISTS cordon_tests)
    if(_test MATCHES "\\.(AUT|ISO|TEL)[0-9]+_" AND NOT cordon_label STREQUAL "security")
      set_tests_properties("${_test}" PROPERTIES LABELS "${cordon_label};security")
    endif()
  endforeach()
endif()
