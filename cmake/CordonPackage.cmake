# The Debian package of the agent, from this build's programs: scripts/package-deb. What it does when it is installed, upgraded
# and removed stands in packaging/deb.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)
install(TARGETS cordon-agent RUNTIME DESTINATION bin COMPONENT agent)
install(TARGETS cordon-keeper RUNTIME DESTINATION libexec/cordon COMPONENT agent)
install(FILES ${PROJECT_SOURCE_DIR}/packaging/systemd/cordon-agent.service
              ${PROJECT_SOURCE_DIR}/packaging/systemd/cordon-isolation.service
              ${PROJECT_SOURCE_DIR}/packaging/systemd/cordon-enroll.path
              ${PROJECT_SOURCE_DIR}/packaging/systemd/cordon-enroll.service
        DESTINATION /lib/systemd/system COMPONENT agent)
install(FILES ${PROJECT_SOURCE_DIR}/docs/examples/agent.toml DESTINATION /etc/cordon COMPONENT agent)
install(FILES ${PROJECT_SOURCE_DIR}/docs/security.md ${PROJECT_SOURCE_DIR}/docs/levels.md
              ${PROJECT_SOURCE_DIR}/docs/install.md ${PROJECT_SOURCE_DIR}/docs/known-issues.md
        DESTINATION share/doc/cordon COMPONENT agent)
install(FILES ${PROJECT_SOURCE_DIR}/packaging/copyright ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/LICENSES/GPL-2.0.txt
        DESTINATION share/doc/cordon-agent COMPONENT agent)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME cordon)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "Cordon <cordon@localhost>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL agent)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_AGENT_PACKAGE_NAME cordon-agent)
set(CPACK_DEBIAN_AGENT_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_AGENT_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_AGENT_DESCRIPTION "contains a cyber incident on this host
 Isolates the host on signed orders, watches processes and files, scans, and reports to the fleet's controller.")
set(_deb ${PROJECT_SOURCE_DIR}/packaging/deb)
set(CPACK_DEBIAN_AGENT_PACKAGE_CONTROL_EXTRA
  "${_deb}/preinst;${_deb}/postinst;${_deb}/prerm;${_deb}/postrm;${_deb}/conffiles")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
