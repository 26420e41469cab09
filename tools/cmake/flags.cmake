# SPDX-License-Identifier: MIT
# The flags that all of Quire is built with: target quire_flags. What the
# freestanding core adds: target quire_core_flags.
include(CheckCCompilerFlag)

add_library(quire_flags INTERFACE)
target_include_directories(quire_flags INTERFACE
  $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include>)
target_compile_definitions(quire_flags INTERFACE
  QR_BUILDING=1
  QR_CONFIG_DEBUG=$<BOOL:${QUIRE_DEBUG}>
  QR_CONFIG_HARD=$<OR:$<BOOL:${QUIRE_DEBUG}>,$<BOOL:${QUIRE_HARD}>>)
target_compile_options(quire_flags INTERFACE
  $<$<COMPILE_LANGUAGE:C>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion
  -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla
  -Wcast-qual -Wcast-align -Wpointer-arith -Wwrite-strings -Wformat=2
  -Wimplicit-fallthrough -Wswitch-enum>
  -g -fno-omit-frame-pointer)
if(QUIRE_WERROR)
  target_compile_options(quire_flags INTERFACE $<$<COMPILE_LANGUAGE:C>:-Werror>)
endif()
if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
  target_compile_options(quire_flags INTERFACE
    $<$<COMPILE_LANGUAGE:C>:-Wthread-safety>)
endif()
if(QUIRE_SANITIZE)
  target_compile_options(quire_flags INTERFACE
    -fsanitize=${QUIRE_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(quire_flags INTERFACE -fsanitize=${QUIRE_SANITIZE})
endif()

add_library(quire_core_flags INTERFACE)
target_link_libraries(quire_core_flags INTERFACE quire_flags)
target_compile_options(quire_core_flags INTERFACE
  -ffreestanding -fno-strict-aliasing)
if(NOT QUIRE_SANITIZE)
  target_compile_options(quire_core_flags INTERFACE
    -fno-stack-protector -Wframe-larger-than=1024)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    target_compile_options(quire_core_flags INTERFACE -mgeneral-regs-only)
  endif()
endif()
