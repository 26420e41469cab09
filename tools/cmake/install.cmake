# SPDX-License-Identifier: MIT
# What `cmake --install` puts where:
#
#     bin/quire                  lib/libquire.so, libquire-hard.so, libquire.a,
#                     libquire-core.a
#     include/qr/*.h             lib/quire/libquire-run.so, quire-static
#     share/man/man1             lib/pkgconfig/quire.pc
#     completions of three shells where each looks for them
set(QUIRE_DATA ${CMAKE_INSTALL_DATADIR})

install(TARGETS quire RUNTIME)
install(TARGETS quire_core ARCHIVE)
if(TARGET quire_run)
  install(TARGETS quire_run LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/quire)
  install(TARGETS quire_carrier
    RUNTIME DESTINATION ${CMAKE_INSTALL_LIBDIR}/quire)
endif()
foreach(library quire_malloc quire_malloc_hard quire_malloc_static)
  if(TARGET ${library})
    install(TARGETS ${library})
  endif()
endforeach()
install(DIRECTORY include/qr TYPE INCLUDE FILES_MATCHING PATTERN "*.h")

file(GLOB QUIRE_MANUALS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/man/*.1)
install(FILES ${QUIRE_MANUALS} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)

configure_file(tools/cmake/quire.pc.in quire.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/quire.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# The command itself writes its completions.
function(quire_install_completion shell name destination)
  set(file ${CMAKE_BINARY_DIR}/completions/${name})
  add_custom_command(OUTPUT ${file}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/completions
    COMMAND quire completion ${shell} > ${file}
    DEPENDS quire VERBATIM)
  add_custom_target(quire_completion_${shell} ALL DEPENDS ${file})
  install(FILES ${file} DESTINATION ${QUIRE_DATA}/${destination})
endfunction()

if(NOT CMAKE_CROSSCOMPILING)
  quire_install_completion(bash quire bash-completion/completions)
  quire_install_completion(zsh _quire zsh/site-functions)
  quire_install_completion(fish quire.fish fish/vendor_completions.d)
endif()
