// SPDX-License-Identifier: MIT
#pragma once
#define PYCONTAINER_VERSION "0.1"
