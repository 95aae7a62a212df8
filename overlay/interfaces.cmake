# Generates and installs the messages of one interface package (PROJECT_NAME, DEPENDENCIES).

find_package(ament_cmake REQUIRED)
find_package(rosidl_default_generators REQUIRED)
foreach(dependency IN LISTS DEPENDENCIES)
  find_package(${dependency} REQUIRED)
endforeach()

# The wheels export the include folders of the machine they were made on; here they do not exist.
get_property(imported DIRECTORY PROPERTY IMPORTED_TARGETS)
foreach(target IN LISTS imported)
  if(target MATCHES "__rosidl_generator_py$")
    set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "")
  endif()
endforeach()

file(GLOB messages RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} CONFIGURE_DEPENDS msg/*.msg)
rosidl_generate_interfaces(${PROJECT_NAME} ${messages} DEPENDENCIES ${DEPENDENCIES})
ament_export_dependencies(rosidl_default_runtime)
ament_package()
