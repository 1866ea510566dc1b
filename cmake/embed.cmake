# The page travels inside the program: every file of present/web becomes a C array,
# gzipped at build time, with a content hash for its ETag.
set(WEB_SOURCE ${CMAKE_SOURCE_DIR}/src/present/web)
set(WEB_OUT ${CMAKE_BINARY_DIR}/generated/present)
file(GLOB WEB_FILES CONFIGURE_DEPENDS ${WEB_SOURCE}/*.html ${WEB_SOURCE}/*.css ${WEB_SOURCE}/*.js
     ${WEB_SOURCE}/*.svg ${WEB_SOURCE}/*.txt)
file(MAKE_DIRECTORY ${WEB_OUT})
add_custom_command(
  OUTPUT ${WEB_OUT}/web_assets.c
  COMMAND ${CMAKE_COMMAND} -DOUT=${WEB_OUT}/web_assets.c "-DFILES=${WEB_FILES}"
          -P ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
  DEPENDS ${WEB_FILES} ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
  VERBATIM COMMENT "embedding the page")
add_library(web_assets STATIC ${WEB_OUT}/web_assets.c)
target_include_directories(web_assets PRIVATE ${CMAKE_SOURCE_DIR}/src)
