# Every library comes from a package: apt on Debian 12, Homebrew on macOS.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

if(APPLE)
  # Keg-only formulae do not put their .pc files where pkg-config looks.
  foreach(keg openssl@3 sqlite libpq curl libxcrypt)
    list(APPEND CMAKE_PREFIX_PATH "/opt/homebrew/opt/${keg}" "/usr/local/opt/${keg}")
  endforeach()
endif()

pkg_check_modules(H2O REQUIRED IMPORTED_TARGET libh2o-evloop)
pkg_check_modules(OPENSSL REQUIRED IMPORTED_TARGET openssl)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)
else()
  add_library(PkgConfig::SECCOMP INTERFACE IMPORTED)
endif()

# Debian's snappy has no .pc file; Homebrew's has.
find_path(SNAPPY_INCLUDE_DIR snappy-c.h REQUIRED)
find_library(SNAPPY_LIBRARY snappy REQUIRED)
add_library(PkgConfig::SNAPPY UNKNOWN IMPORTED)
set_target_properties(PkgConfig::SNAPPY PROPERTIES IMPORTED_LOCATION ${SNAPPY_LIBRARY}
                      INTERFACE_INCLUDE_DIRECTORIES ${SNAPPY_INCLUDE_DIR})

# bcrypt: part of the C library's crypt on Linux (libxcrypt), a keg on macOS.
find_path(CRYPT_INCLUDE_DIR crypt.h REQUIRED)
find_library(CRYPT_LIBRARY crypt REQUIRED)
add_library(Crypt::Crypt UNKNOWN IMPORTED)
set_target_properties(Crypt::Crypt PROPERTIES IMPORTED_LOCATION ${CRYPT_LIBRARY}
                      INTERFACE_INCLUDE_DIRECTORIES ${CRYPT_INCLUDE_DIR})

# Evloop flavour without libuv; OpenSSL is what libh2o was built with.
target_compile_definitions(PkgConfig::H2O INTERFACE H2O_USE_LIBUV=0)
target_link_libraries(PkgConfig::H2O INTERFACE PkgConfig::OPENSSL PkgConfig::ZLIB)

find_program(PROTOC_C NAMES protoc-gen-c REQUIRED)
find_program(PROTOC NAMES protoc REQUIRED)
set(PROTO_OUT ${CMAKE_BINARY_DIR}/generated/proto)
file(MAKE_DIRECTORY ${PROTO_OUT})
set(PROTO_SOURCES)
foreach(proto remote_write remote_write_v2)
  add_custom_command(
    OUTPUT ${PROTO_OUT}/${proto}.pb-c.c ${PROTO_OUT}/${proto}.pb-c.h
    COMMAND ${PROTOC} --plugin=protoc-gen-c=${PROTOC_C} --c_out=${PROTO_OUT} --proto_path=${CMAKE_SOURCE_DIR}/proto
            ${proto}.proto
    DEPENDS ${CMAKE_SOURCE_DIR}/proto/${proto}.proto
    COMMENT "protobuf-c: ${proto}.proto")
  list(APPEND PROTO_SOURCES ${PROTO_OUT}/${proto}.pb-c.c)
endforeach()
add_library(remote_write_proto STATIC ${PROTO_SOURCES})
target_include_directories(remote_write_proto SYSTEM PUBLIC ${CMAKE_BINARY_DIR}/generated)
target_link_libraries(remote_write_proto PUBLIC PkgConfig::PROTOBUF_C)
