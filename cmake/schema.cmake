# The migrations travel inside the program: every src/archive/schema/sqlite/NNNN_*.sql becomes one row
# of the table in archive/schema.h, in order of its number.
set(SCHEMA_OUT ${CMAKE_BINARY_DIR}/generated/archive)
file(GLOB SCHEMA_FILES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/archive/schema/sqlite/[0-9][0-9][0-9][0-9]_*.sql)
file(MAKE_DIRECTORY ${SCHEMA_OUT})
add_custom_command(
  OUTPUT ${SCHEMA_OUT}/schema_sqlite.c
  COMMAND ${CMAKE_COMMAND} -DOUT=${SCHEMA_OUT}/schema_sqlite.c "-DFILES=${SCHEMA_FILES}"
          -P ${CMAKE_SOURCE_DIR}/cmake/embed_schema.cmake
  DEPENDS ${SCHEMA_FILES} ${CMAKE_SOURCE_DIR}/cmake/embed_schema.cmake
  VERBATIM COMMENT "embedding the migrations")
add_library(archive_schema STATIC ${SCHEMA_OUT}/schema_sqlite.c)
target_include_directories(archive_schema PRIVATE ${CMAKE_SOURCE_DIR}/src)
